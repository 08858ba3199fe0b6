import { typed } from './shape.js'

/** An object whose fields are its sender's own affair. */
export const facts = typed<Readonly<Record<string, unknown>>>('an object', (value) => typeof value === 'object' && value !== null && !Array.isArray(value))
