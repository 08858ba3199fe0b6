/** Actors behind a gateway, for browsers and Node: nothing here imports Node. */
export { client } from './client.js'
export type { CallOptions, Client, ClientOptions } from './client.js'
export type { Conversation, OpenSocket } from './conversation.js'
export { event, protocol, request, stream } from '../runtime/protocol.js'
export type { Protocol, Schema } from '../runtime/protocol.js'
export { TroupeError } from '../ground/errors.js'
export type { ErrorCode } from '../ground/errors.js'
