/** Answers as they go over the wire. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { TroupeError } from '../../ground/errors.js'
import type { Route } from './face.js'
import { problemOf, retryAfter, statusOf } from './statuses.js'

export const JSON_TYPE = 'application/json; charset=utf-8'
/** Longer ones are not worth a copy behind their head. */
const ONE_WRITE_LENGTH_MAX = 16_384

/** Goes straight to Node: what the library would look at again is known. */
export function send(response: ServerResponse, status: number, type: string, text: string, headers: OutgoingHttpHeaders | undefined): void {
  const length = Buffer.byteLength(text)
  response.writeHead(status, headers === undefined ? { 'content-type': type, 'content-length': length } : { ...headers, 'content-type': type, 'content-length': length })
  const { socket } = response
  if (socket === null || socket.writableCorked > 0 || text.length > ONE_WRITE_LENGTH_MAX) return void response.end(text)
  // One write with head and body, and an end that writes nothing. Ending with the text makes two, gathered by a slower call.
  socket.cork()
  response.write(text)
  socket.uncork()
  response.end()
}

/** What goes with an error beside its body. */
export function headersOf(error: TroupeError, status: number, { complete }: IncomingMessage): OutgoingHttpHeaders {
  const wait = retryAfter(error)
  return {
    ...(wait !== undefined && { 'retry-after': wait }),
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
    // What was not read of the body is not waited for.
    ...(!complete && { connection: 'close' }),
  }
}

/** An error in the form that the route's callers expect. */
export function asTold(route: Route | undefined, error: TroupeError): unknown {
  const problem = problemOf(error)
  return route?.problem?.(problem, statusOf(error)) ?? problem
}

const REASON = { 400: 'Bad Request', 408: 'Request Timeout', 431: 'Request Header Fields Too Large' } as const

/** For what is no HTTP at all, or takes too long to become some: the status it was refused with, if there was anybody to tell. */
export function refuseNoise(error: Error & { readonly code?: string }, socket: Socket): number | undefined {
  const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400
  const told = error.code === 'ECONNRESET' ? undefined : status
  if (!socket.writable || told === undefined) socket.destroy()
  else {
    const body = JSON.stringify({ code: 'InvalidMessage', message: REASON[status], hint: 'see the documentation of your HTTP library' })
    socket.end(`HTTP/1.1 ${status} ${REASON[status]}\r\ncontent-type: ${JSON_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`, () => socket.destroy())
  }
  return told
}
