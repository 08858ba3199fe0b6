/** Videos to pictures and sound, by ffmpeg where it is installed: a child process that is given little and trusted less. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realClock } from '../ground/clock.js'
import { TroupeError } from '../runtime/index.js'

interface Taken {
  /** The program: a name on the PATH, or a path. */
  readonly ffmpeg: string
  readonly signal: AbortSignal
}

/** A file that takes longer is made to take long. */
const TIME_MAX_MS = 300_000
/** Bytes of one picture, and of a whole sound track: two hours at 16 kHz. */
const PICTURE_BYTES_MAX = 16_000_000
const SOUND_BYTES_MAX = 240_000_000
/** What ffmpeg says about its failure is kept to this. */
const COMPLAINT_MAX = 2000
const WIDTH_MAX = 1920
const END_OF_JPEG = Buffer.of(0xff, 0xd9)

/**
 * Containers only: playlists, which name other files, are among what ffmpeg reads otherwise, and with them a hostile
 * file reads ours. Nothing but the file itself may be opened.
 */
const INPUT = ['-nostdin', '-hide_banner', '-v', 'error', '-protocol_whitelist', 'file', '-format_whitelist', 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,ogg,wav,mp3,flac,aac,aiff', '-i']

/** Pictures of a video as JPEG files, one each `everyMs`, no faster than they are taken. */
export async function* framesOf(video: Uint8Array, { everyMs, framesMax, ...how }: Taken & { readonly everyMs: number; readonly framesMax: number }): AsyncGenerator<Uint8Array> {
  const output = ['-an', '-vf', `fps=1000/${everyMs}:round=up,scale='min(${WIDTH_MAX},iw)':-2`, '-frames:v', String(framesMax), '-f', 'image2pipe', '-c:v', 'mjpeg', '-q:v', '3', 'pipe:1']
  let rest = Buffer.alloc(0)
  for await (const chunk of run(video, output, how)) {
    rest = Buffer.concat([rest, chunk])
    for (let end = endOfPicture(rest); end > 0; end = endOfPicture(rest)) {
      yield new Uint8Array(rest.subarray(0, end))
      rest = rest.subarray(end)
    }
    if (rest.length > PICTURE_BYTES_MAX) throw unusable(`a picture of the video has more than ${PICTURE_BYTES_MAX} bytes`)
  }
}

/** Where the first picture ends, or 0 when it is not all there: within a JPEG file, these two bytes stand nowhere else. */
const endOfPicture = (bytes: Buffer): number => {
  const at = bytes.indexOf(END_OF_JPEG)
  return at < 0 ? 0 : at + END_OF_JPEG.length
}

/** The sound of a video or sound file, as a WAV file of one channel at 16 kHz. */
export async function soundTrackOf(video: Uint8Array, how: Taken): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of run(video, ['-vn', '-ac', '1', '-ar', '16000', '-c:a', 'pcm_s16le', '-f', 'wav', 'pipe:1'], how)) {
    chunks.push(chunk)
    size += chunk.length
    if (size > SOUND_BYTES_MAX) throw unusable(`the sound track has more than ${SOUND_BYTES_MAX} bytes`)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

/** What ffmpeg writes, chunk by chunk. The process is gone when this ends, however it ends. */
async function* run(input: Uint8Array, output: readonly string[], { ffmpeg, signal }: Taken): AsyncGenerator<Uint8Array> {
  signal.throwIfAborted()
  // Many containers can only be read by going back and forth, which a pipe does not let.
  const folder = await mkdtemp(join(tmpdir(), 'troupe-video-'))
  const file = join(folder, 'input')
  let process: ChildProcess | undefined
  const stop = (): void => void process?.kill('SIGKILL')
  let late = false
  const timer = realClock.timer(TIME_MAX_MS, () => {
    late = true
    stop()
  })
  try {
    await writeFile(file, input)
    process = spawn(ffmpeg, [...INPUT, file, ...output], { stdio: ['ignore', 'pipe', 'pipe'] })
    signal.addEventListener('abort', stop)
    const complaint = complaintOf(process)
    const ending = endingOf(process)
    // Its failure to start is told by `ending`.
    ending.catch(() => undefined)
    yield* process.stdout as AsyncIterable<Uint8Array>
    const code = await ending
    signal.throwIfAborted()
    if (late) throw unusable(`ffmpeg was not done with the file after ${TIME_MAX_MS / 1000} seconds`)
    if (code !== 0) throw unusable(`ffmpeg could not read the file: ${complaint()}`)
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', stop)
    stop()
    await rm(folder, { recursive: true, force: true })
  }
}

function complaintOf(process: ChildProcess): () => string {
  let text = ''
  process.stderr?.setEncoding('utf8').on('data', (part: string) => {
    if (text.length < COMPLAINT_MAX) text = (text + part).slice(0, COMPLAINT_MAX)
  })
  return () => text.trim() || 'it does not say why'
}

const endingOf = (process: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => {
    process.once('close', resolve)
    process.once('error', (cause: NodeJS.ErrnoException) => {
      reject(cause.code === 'ENOENT' ? missing(process.spawnfile, cause) : cause)
    })
  })

const missing = (program: string, cause: unknown): TroupeError =>
  new TroupeError('MissingDependency', `videos need ffmpeg, and there is no ${program}`, 'install it (apt-get install ffmpeg, brew install ffmpeg, winget install ffmpeg) so that it is on the PATH, or name its place with the option ffmpeg', { dependency: 'ffmpeg' }, cause)

const unusable = (message: string): TroupeError => new TroupeError('InvalidMessage', message, 'check that the file is a whole video or sound file; shorten or convert it')
