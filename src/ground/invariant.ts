/** Throws when something that cannot be is: a bug in Troupe, never the caller's doing. */
export function invariant(holds: boolean, claim: string): asserts holds {
  if (!holds) throw new Error(`broken invariant, please report it: ${claim}`)
}
