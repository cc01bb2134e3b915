export type MembershipTimer = { readonly kind: string }
