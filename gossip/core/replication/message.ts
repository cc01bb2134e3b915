export type ReplicationMessage = { readonly kind: string }
