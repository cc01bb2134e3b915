export type MembershipMessage = { readonly kind: string }
