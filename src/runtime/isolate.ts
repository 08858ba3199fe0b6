import { isPrimitive, pack, unpack } from './codec.js'

/** The value in memory of its own, so that who gives it and who gets it share nothing. Throws `InvalidMessage` for what cannot be packed. */
export const isolate = (value: unknown): unknown => (isPrimitive(value) ? value : unpack(pack(value)))
