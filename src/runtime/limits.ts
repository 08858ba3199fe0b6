/** Every bound of the runtime, with its unit and what happens when it is reached. */

/** Envelopes in one mailbox, deferred ones included; then its overflow policy applies. */
export const MAILBOX_COUNT_MAX = 1_024

/** Bytes of packed bodies in one mailbox; then its overflow policy applies. */
export const MAILBOX_BYTES_MAX = 64 * 1_024 * 1_024

/** Senders that wait for room before one mailbox; the next is told `Overloaded`. */
export const WAITERS_MAX = 1_024

/** Deferred envelopes in one mailbox; the newest is told `Overloaded`. */
export const DEFERRED_MAX = 256

/** Envelopes that one handler or step may send before its outbox leaves; the next send throws `Overloaded`. */
export const OUTBOX_COUNT_MAX = 10_000

/** Bytes of packed bodies in one outbox; the next send throws `Overloaded`. */
export const OUTBOX_BYTES_MAX = 64 * 1_024 * 1_024

/** How long a released outbox waits for its receivers before the rest become dead letters. */
export const SEND_TIMEOUT_MS = 5_000

/** How long an asker waits for the outcome unless it says otherwise. */
export const ASK_TIMEOUT_MS = 30_000

/** Asks and streams open at once in one troupe; the next is told `Overloaded`. */
export const OPEN_ASKS_MAX = 1_000_000

/** Chunks a stream's producer may be ahead of its reader; then the producer waits. */
export const STREAM_WINDOW = 32

/** How long a stream's producer waits for a reader that takes nothing, unless the stream says otherwise; then it is called off, and the reader gets `Gone`. */
export const STREAM_IDLE_MS = 5 * 60_000

/** Chunks that a resumable stream keeps for a reader who comes back; who wants an older one gets `Gone`. */
export const RESUME_CHUNKS = 1_000

/** Bytes of packed chunks that a resumable stream keeps; the oldest is forgotten first. */
export const RESUME_BYTES = 1_024 * 1_024

/** How long a resumable stream that nobody reads is kept; then its producer is called off, and who comes gets `Gone`. */
export const RESUME_MS = 60_000

/** Resumable streams in one troupe, RESUME_BYTES each: 1 GB at most; the next is told `Overloaded`. */
export const RESUMABLE_MAX = 1_000

/** Dead letters kept; the oldest is forgotten, its count stays. */
export const DEAD_LETTERS_MAX = 1_000

/** Bytes of bodies of kept dead letters; the oldest is forgotten, its count stays. */
export const DEAD_LETTER_BYTES_MAX = 16 * 1_024 * 1_024

/** Envelopes whose story `why` remembers; a power of two. */
export const RECORD_COUNT = 65_536

/** How long the dispatcher works before it hands the event loop back. */
export const SLICE_MS = 4

/** Envelopes the dispatcher handles before it hands the event loop back, whatever the clock says. */
export const SLICE_STEPS = 8_192

/** Envelopes one cell handles before the next ready cell has its turn. */
export const CELL_SLICE = 64

/** Consecutive envelopes of one priority while a lower one waits. */
export const PRIORITY_RUN = 8

/** Resident actors of one keyed kind; at the cap the least recently used idle one leaves. */
export const RESIDENTS_MAX = 1_000_000

/** Subscriptions in one troupe; the next is refused with `Overloaded`. */
export const SUBSCRIPTIONS_MAX = 100_000

/** Microsteps of one statechart transition: more is a loop in the chart, and the step fails. */
export const MICROSTEPS_MAX = 1_000

/** Event types whose verdict one state node remembers; then it forgets them all and starts anew. */
export const VERDICTS_MAX = 1_000

/** Events from within that wait for one chart; a child that sends more is stopped, with `Overloaded`. */
export const WITHIN_MAX = 10_000

/** Children that have ended and stay in a chart's `snapshot.children`; then the one that ended first leaves. */
export const ENDED_CHILDREN_MAX = 100

/** How often a durable actor tries a failing envelope again before it is set aside. */
export const DURABLE_RETRIES = 3

/** Entries of one segment of the journal's log; a segment leaves as a whole. */
export const LOG_SEGMENT = 4_096

/** How long a durable actor waits before it tries a store again that could not be written. */
export const STORE_RETRY_MS = 1_000

/** How long `troupe.stop()` lets work finish before it cancels the rest. */
export const DRAIN_MS = 5_000

/** Characters of an address. */
export const ADDRESS_LENGTH_MAX = 512

/** Schedules in one troupe; the next is told `Overloaded`. */
export const SCHEDULES_MAX = 10_000

/** Missed moments that a schedule may ask to fire each for. */
export const LATE_MAX = 1_000

/** Steps that an actor's history keeps unless it says otherwise; older ones are forgotten, and who wants one gets `Gone`. */
export const HISTORY_KEEP = 1_000

/** How long a durable handler that waits for time or mail alone stays in memory; one that cannot leave then is looked at again, after twice as long each time, and once a minute at last. */
export const DOZE_MS = 1_000

/** Items under way from one node to another; the rest waits at its sender. */
export const LINK_WINDOW = 1_024

/** Bytes of items that travel in one frame; a larger item travels alone. */
export const LINK_BYTES = 64 * 1_024

/** How long a node waits for a word of another before it says its own again; twice as long each time, up to LINK_RETRY_MAX_MS. */
export const LINK_RETRY_MS = 100

/** The longest wait between two tries to reach a node. */
export const LINK_RETRY_MAX_MS = 5_000

/** How long nothing comes from a node for which somebody waits before it is asked for a sign of life. */
export const LINK_QUIET_MS = 10_000

/** How long a node may be silent: then what it has not answered is given up with `Interrupted`; what the log keeps for it is tried on. */
export const LINK_SILENT_MS = 30_000

/** Messages of volatile senders on their way to one node that has not accepted them; then who sends waits, as before a full mailbox. */
export const LINK_MAIL_MAX = 4_096

/** Bytes of such messages. */
export const LINK_MAIL_BYTES_MAX = 64 * 1_024 * 1_024

/** Parcels that the log keeps for one node and that it does not have, or has and finds no room for; then a durable actor that sent one waits with its next message. */
export const OWED_MAX = 4_096

/** Parcels on their way to one node, of LINK_MAIL_BYTES_MAX. */
export const OWED_WINDOW = 1_024

/** Chunks that a node reads of another's stream before it says so: less than STREAM_WINDOW. */
export const READ_CHUNKS = 8

/** Parcels of another node that go to the store together. */
export const INTAKE_BATCH = 256

/** Nodes of one troupe. */
export const NODES_MAX = 64
