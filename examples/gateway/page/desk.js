// One conversation with the desk. The client takes an answer up again where its connection broke.
import { client, protocol, stream } from '../troupe/client/index.js'

/** The gateway checks what is sent; a page has nothing to add. */
const anything = { '~standard': { version: 1, vendor: 'page', validate: (value) => ({ value }) } }
const Dialogue = protocol({ say: stream(anything, anything) })
const desk = client(Dialogue, `${location.origin}/actors/dialogue/${crypto.randomUUID()}`, { key: location.hash.slice(1) })
const [log, form, button] = ['main', 'form', 'button'].map((name) => document.querySelector(name))
let stop

function show(kind, text = '') {
  const line = log.appendChild(Object.assign(document.createElement('p'), { className: kind, textContent: text }))
  line.scrollIntoView()
  return line
}

/** Shows the answer as it is written, then where it comes from. */
async function ask(text, signal) {
  const answer = show('answer')
  try {
    for await (const chunk of desk.stream({ type: 'say', text }, { signal })) {
      if (chunk.kind === 'text') answer.append(chunk.text)
      else for (const { number, title } of chunk.sources) answer.appendChild(document.createElement('small')).textContent = `[${number}] ${title}`
      answer.scrollIntoView()
    }
  } catch ({ code, message, hint }) {
    if (answer.textContent === '') answer.remove()
    show('failed', code === 'Cancelled' ? 'stopped' : `${message}: ${hint}`)
  }
}

async function send(text) {
  form.text.value = ''
  form.text.required = false
  button.textContent = 'Stop'
  show('question', text)
  stop = new AbortController()
  await ask(text, stop.signal)
  stop = undefined
  form.text.required = true
  button.textContent = 'Send'
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  if (stop === undefined) void send(form.text.value)
  else stop.abort()
})
