// Rows of a set under bench/data.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

export const rowsIn = (jsonLines) => jsonLines.trim().split('\n').map((line) => JSON.parse(line))
export const readSet = (name) => rowsIn(gunzipSync(readFileSync(new URL(`data/${name}.jsonl.gz`, import.meta.url))).toString())
