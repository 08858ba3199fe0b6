// What each agent is asked, and what the stub in its model's place says: three turns with one tool call each, then the answer.
export const INSTRUCTIONS = 'You tell the weather.'
export const QUESTION = 'How is the weather in Rome, Oslo and Lima?'
export const ANSWER = 'Rome is sunny, Oslo is rainy and Lima is foggy.'
export const TOOL = { name: 'weather', description: 'The weather of a city' }
const CITIES = ['Rome', 'Oslo', 'Lima']
const SKIES = { Rome: 'sunny', Oslo: 'rainy', Lima: 'foggy' }
export const TURNS = CITIES.length + 1

/** The call that a model makes which has seen so many results, or none when it has seen all: then it answers. */
export const callAfter = (results) => (results < CITIES.length ? { id: `call-${results}`, input: { city: CITIES[results] } } : undefined)

let looked = 0
export const look = async ({ city }) => {
  looked++
  return { city, sky: SKIES[city] }
}

/** Runs so many with `width` at once, and gives how many a second; every answer is looked at, and every tool call counted. */
export async function timed(runs, width, run) {
  let left = runs
  looked = 0
  const worker = async (w) => {
    while (left-- > 0) if ((await run(w)) !== ANSWER) throw new Error('a run ended with another answer')
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: width }, (_, w) => worker(w)))
  const rate = (runs * 1_000) / (performance.now() - start)
  if (looked !== runs * CITIES.length) throw new Error(`${looked} tool calls in ${runs} runs`)
  return rate
}
