/** Timers are data: a token that is not the newest of its kind falls through. */

export type MembershipTimer =
  /** Advances the awake clock, then judges. One is under way at any time. */
  | { readonly kind: 'tick'; readonly token: number }
  /** Sends the alerts that were gathered. */
  | { readonly kind: 'flush'; readonly token: number }
