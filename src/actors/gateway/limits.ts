/** Every bound of the gateway, with its unit and what happens when it is reached. Those with a `Default` can be set. */

/** Connections at once; Node drops the next one. */
export const CONNECTIONS_DEFAULT = 4_096

/**
 * Requests, streams and messages of conversations under way at once; the next gets 503. A caller with a key may have as
 * many of them as it leaves free: half when it is alone.
 */
export const IN_FLIGHT_DEFAULT = 2_048

/** Bytes of a request's body, or of one frame of a conversation; more gets 413, or the close code 1009. */
export const BODY_BYTES_DEFAULT = 1_024 * 1_024

/** Bytes of all headers of a request; more gets 431. */
export const HEADER_BYTES_MAX = 16 * 1_024

/** Levels of lists and objects in a body; deeper gets 400. One less than a message may have. */
export const JSON_DEPTH_MAX = 100

/** How long a request's headers may take to arrive; then 408. */
export const HEADERS_MS = 5_000

/** How long a whole request may take to arrive; then 408. */
export const REQUEST_DEFAULT_MS = 15_000

/** How long a connection may stay open between two requests. */
export const IDLE_MS = 72_000

/** How often Node looks for requests that take too long. */
export const CONNECTIONS_CHECK_MS = 500

/** The longest outcome a caller may wait for; a longer `troupe-timeout` is cut to it. */
export const TIMEOUT_MAX_DEFAULT_MS = 5 * 60_000

/** Requests that one key may begin a second, and at once after a rest; the next gets 429. */
export const RATE_DEFAULT = { perSecond: 100, burst: 200 } as const

/** Callers whose rate is remembered; then the one that came first is forgotten, and starts with a full bucket. */
export const CALLERS_MAX = 10_000

/** Audit entries kept; the oldest is forgotten. */
export const AUDIT_MAX = 1_000

/** How long the first chunk of a stream may take to decide the status; later errors are events of the stream. */
export const FIRST_CHUNK_MS = 25

/** How often a silent stream or conversation shows that it lives; a conversation that does not answer until the next is ended. */
export const HEARTBEAT_MS = 15_000

/** Heartbeats through which a conversation's reader may take nothing of what waits for it; then it is ended. */
export const STUCK_BEATS_MAX = 8

/**
 * Streams that their readers may come back to, a minute after their end too; the next cannot be taken up again. Below the
 * troupe's own bound. A caller with a key may have as many of them as it leaves free.
 */
export const KEPT_STREAMS_MAX = 900

/** Asks and streams under way in one conversation; the next is told `Overloaded`. */
export const CONVERSATION_MAX = 64

/** Chunks that a conversation's stream may be ahead of a reader that gives no credit, and the most credit it may have. */
export const CREDIT_FIRST = 32
export const CREDIT_MAX = 100_000

/** Bytes that wait in a conversation's socket before its streams are held back. */
export const SOCKET_BYTES_MAX = 64 * 1_024

/** How long requests may take to finish once the gateway stops; less than an actor is given to stop. */
export const DRAIN_DEFAULT_MS = 4_000

/** How long what was called off then may take to say so before its connection is cut. */
export const FAREWELL_MS = 500

/** Names in metrics that come from outside; what is beyond counts as `other`. */
export const LABELS_MAX = 200
