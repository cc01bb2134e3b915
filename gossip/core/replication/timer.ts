export type ReplicationTimer = { readonly kind: string }
