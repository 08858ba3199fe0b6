// One process that is ended in one way in the middle of inference. Arguments: how, and after how many milliseconds;
// with `cold` as third argument the end comes while models still load.
import { createHost } from 'troupe/models'

const [how, delay, start] = process.argv.slice(2)
const host = await createHost()
const controller = new AbortController()
const { signal } = controller
const text = 'Orders are delivered within three to five working days, and a parcel can be returned within thirty days. '
// A natural end comes after the last answer, so less is asked there; every other end comes long before it.
const [many, long] = how === 'natural' ? [16, 25] : [64, 100]
const texts = Array.from({ length: many }, (_, i) => text.repeat(1 + (i % 5)))
const endless = { prompt: text, maxTokens: long, logitBias: { 9: -100 } }
const quiet = (work) => Promise.resolve(work).catch(() => undefined)
const embed = () => quiet(host.embed('embedded:encoder', texts, { signal }))
const write = () => quiet(host.generate('embedded:generator', endless, { signal }))

const endings = {
  natural: () => undefined,
  exit: () => process.exit(7),
  throw: () => {
    throw new Error('nobody catches this')
  },
  reject: () => void Promise.reject(new Error('nobody catches this')),
  stop: () => void host.stop(),
  'stop, exit': () => void host.stop().then(() => process.exit(3)),
  cancel: () => controller.abort(),
  'cancel, exit': () => {
    controller.abort()
    process.exit(4)
  },
  // Ended from outside.
  signal: () => process.send('now'),
}
if (how === 'stop on signal') process.once('SIGTERM', () => void host.stop().then(() => process.disconnect()))
const outside = how === 'signal' || how === 'stop on signal'

if (start !== 'cold') await Promise.all([host.embed('embedded:encoder', 'warm'), host.generate('embedded:generator', { prompt: text, maxTokens: 1 })])
const rounds = outside ? 50 : 1
for (let i = 0; i < rounds; i++) {
  void embed()
  for (let each = 0; each < 3; each++) void write()
}
setTimeout(() => endings[outside ? 'signal' : how](), Number(delay))
