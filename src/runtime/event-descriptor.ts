/** XState's own rule for event descriptors: exact, `*`, or a prefix that ends in `.*`. */
export function matches(type: string, descriptor: string): boolean {
  if (descriptor === type || descriptor === '*') return true
  if (!descriptor.endsWith('.*')) return false
  const wanted = descriptor.slice(0, -2).split('.')
  const given = type.split('.')
  return wanted.every((token, at) => token === '*' || token === given[at])
}
