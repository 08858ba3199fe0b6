/** Every bound of the model host, with its unit and what happens when it is reached. */

// What callers may hold.

/** Calls that may be open for one model, unless the host says otherwise; the next gets `Overloaded`. */
export const CALLS_MAX = 4_096

/** Characters that the open calls of one model may hold, 64 MB as tokens; the next call gets `Overloaded`, but one alone may be larger. */
export const CHARS_MAX = 16_000_000

/** Models that one host knows at a time, loaded or at rest; the next gets `Overloaded`. */
export const MODELS_MAX = 256

/** Parts of an answer that wait for their reader; then the one who makes them waits. */
export const PARTS_KEPT_MAX = 32

/** Models of providers that definitions of one process were given as objects; the next is `Overloaded`. */
export const NAMED_REMOTES_MAX = 1_024

// What a thread is given.

/** Passes that a thread holds, one running and one that follows at once, so that a round trip to the host costs no time; further work waits. Each has a slot of the strip, too. */
export const PASSES_AHEAD = 2

/** Milliseconds that a pass is meant to take: long enough to fill a batch, short enough to stop, and to let others in; longer work is split. */
export const PASS_MS = 30

/** The same for bulk work beside other models: what is urgent elsewhere waits for no more than one such pass. */
export const PASS_BESIDE_MS = 12

/** Padded tokens of a pass, whatever was learnt of its speed: at least a short text or two, at most what 64 texts of 64 tokens hold. */
export const PASS_TOKENS_MIN = 64
export const PASS_TOKENS_MAX = 4_096

/** Inputs of one pass; the others go with the next. */
export const PASS_COUNT_MAX = 64

/** How far into one caller's line a batch looks for work of a similar length; what is further back waits for its turn. */
export const LOOK_AHEAD = 32

/** Callers that a batch asks in one round; the others are asked by the next. */
export const TURNS_MAX = 256

/** Batches that may overtake a slower lane; then that lane goes first once. */
export const OVERTAKEN_MAX = 16

/** Abandoned pieces in a line that are not worth a walk through it; from here on they are looked for, and dropped. */
export const GONE_MIN = 256

/** Milliseconds that less urgent work waits for a core while urgent work fills them; then it gets one even so. */
export const CORE_WAIT_MS = 100

/** Prompt tokens of one pass, some 10 ms of the embedded generator: running sequences wait so long for a newcomer; the rest goes with the next pass. */
export const PREFILL_MAX = 64

/** Bytes of a graph that reads `PREFILL_MAX` tokens in about 100 ms on one core; one of twice the size reads half as many in a pass. */
export const PREFILL_BYTES = 200_000_000

/** Prompt tokens of one pass, however large the model: with fewer, reading its weights is all that a pass does. */
export const PREFILL_MIN = 8

/** Sequences that one thread holds, running, waiting for their reader, or about to start; the next waits in line. */
export const SLOTS = 32

/** Sequences that share a decode step: past eight, a step on one core takes as much longer as it writes more; the others take the next step. */
export const BATCH_MAX = 8

/** Parts that a sequence is ahead of its reader; then it is set aside until he catches up. */
export const AHEAD_MAX = 32

// What one input may hold.

/** Tokens of a text that an encoder reads, or what its model takes if that is less; a longer one is cut, or refused where the caller says so. */
export const TEXT_TOKENS_MAX = 512

/** Characters of a text per token that is wanted of it; what is beyond is cut before it is split into tokens. */
export const CHARS_PER_TOKEN_MAX = 64

/** Tokens that a generation writes unless its request says otherwise; then it ends with `length`. */
export const WRITE_TOKENS = 256

/** Items of a list that a schema leaves without a bound; the list ends there. */
export const ITEMS_MAX = 64

/** Size of a number that a schema leaves without a bound: digits would otherwise never have to end. */
export const NUMBER_MAX = 999_999_999

/** Pixels of a decoded image, 120 MB of them, unless the caller says otherwise; a larger one is `InvalidMessage`. */
export const PIXELS_MAX = 40_000_000

/** Bytes of an image file, unless the caller says otherwise; a larger one is `InvalidMessage`. */
export const IMAGE_BYTES_MAX = 50_000_000

/** Seconds that decoding an image may take: a file that takes longer is made to take long, and is `InvalidMessage`. */
export const DECODE_SECONDS_MAX = 20

/** Channels of a sound; a file that says more is `InvalidMessage`. */
export const CHANNELS_MAX = 64

/** Seconds of sound in which speech is looked for at once, which takes some five seconds; more is `InvalidMessage`, and goes in parts. */
export const SPEECH_SECONDS_MAX = 600

/** Samples of which one vector is made, a minute of them; memory grows with its square, and more is `InvalidMessage`. */
export const VOICE_SAMPLES_MAX = 960_000

/** Pixels of the longer side of an image in which text is looked for, unless the caller says otherwise; a larger image is made smaller. */
export const READ_SIDE_MAX = 1_280

/** Boxes of text in one image, where a page of dense print has some hundred; the rest is left unread. */
export const BOXES_MAX = 1_000

/** Columns of pixels in one pass of the recogniser, padding included, about 50 ms on one core; further lines go with the next. */
export const COLUMNS_MAX = 1_280

/** Columns of one line, some 160 letters, more than fit on a page; a longer line is squeezed. */
export const LINE_WIDTH_MAX = 3_200

// What is kept.

/** Part of the machine's memory, or of its container's, that all models together may hold; then the one not used for longest rests. */
export const MEMORY_SHARE = 1 / 2

/** Bytes of caches of earlier prompts in one thread; the one not used for longest goes. */
export const PREFIX_BYTES_MAX = 64_000_000

/** Schemas that stay compiled in one thread; the one not used for longest goes. */
export const COMPILED_MAX = 16

// How long, and how often.

/** Times that the download of one file is told of on its way, and bytes that come in between at least; small files are told of once, when they are there. */
export const TOLD_TIMES = 20
export const TOLD_BYTES_MIN = 1_000_000

/** Milliseconds that a thread may be in one native call, unless the host says otherwise; then it is given up, counted and replaced. */
export const WATCHDOG_MS = 600_000

/** Milliseconds between two looks at how much memory the models at work hold. */
export const RESIDENT_MS = 1_000

/** Milliseconds that the end of the process waits for threads to leave native code; then it ends even so. */
export const EXIT_WAIT_MS = 5_000

/** Threads of a model that die in a row without finishing anything; then what waits for it is told. */
export const DEATHS_MAX = 3

/** Times that a provider is asked which is busy or out of reach; then its error is told. */
export const REMOTE_TRIES = 3

/** Milliseconds before a provider is asked again, twice as long each time, unless it says how long. */
export const REMOTE_WAIT_MS = 500

/** Milliseconds that a call waits for a provider at most; one that says it is busy for longer is not asked again, and its error is told at once. */
export const REMOTE_WAIT_MAX_MS = 60_000

/** Characters of one answer of a provider, its thoughts and calls included; then it is called off. A million tokens, which no model writes at once. */
export const REMOTE_CHARS_MAX = 4_000_000

/** Texts in one call of a remote embedding model that does not say how many it takes; the others go with the next. */
export const REMOTE_EMBEDDINGS_MAX = 96
