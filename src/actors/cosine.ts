/** How much two vectors point the same way, from -1 to 1. */

/** 0 where one of them is nothing but zeros. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0]
  for (let at = 0; at < a.length; at++) {
    const [x, y] = [a[at] as number, b[at] as number]
    dot += x * y
    aa += x * x
    bb += y * y
  }
  return dot / (Math.sqrt(aa * bb) || 1)
}

/** The same for vectors of length 1, at a third of the work. */
export function cosineOfUnits(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += (a[at] as number) * (b[at] as number)
  return sum
}
