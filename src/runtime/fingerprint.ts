/** FNV-1a, 32 bits (Fowler, Noll, Vo), with murmur3's finaliser, since FNV alone spreads similar inputs badly. */
export function fingerprint(input: string | Uint8Array): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < input.length; i++) hash = Math.imul(hash ^ (typeof input === 'string' ? input.charCodeAt(i) : (input[i] as number)), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
