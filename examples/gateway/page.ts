/** One page at `/`, as a face of its own: open to anybody, since all that it can do needs the key. */
import type { Face } from 'troupe/actors'

const html = `<!doctype html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Support desk</title>
<style>body { font: 16px/1.5 system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem } input { width: 100%; font: inherit; padding: .5rem } p { white-space: pre-wrap }</style>
<h1>Support desk</h1><form><input name="text" placeholder="How long do I have to return a parcel?" aria-label="Question" autofocus></form><main aria-live="polite"></main>
<script type="module">
  const conversation = crypto.randomUUID()
  const headers = { 'content-type': 'application/json', 'x-api-key': location.hash.slice(1) }
  const show = (text) => document.querySelector('main').appendChild(Object.assign(document.createElement('p'), { textContent: text }))
  document.querySelector('form').addEventListener('submit', async (event) => {
    event.preventDefault()
    const field = event.target.text
    const text = field.value
    field.value = ''
    show('> ' + text)
    const answer = show('')
    const response = await fetch('/actors/dialogue/' + conversation, { method: 'POST', headers, body: JSON.stringify({ type: 'say', text }) })
    if (!response.ok) return void (answer.textContent = (await response.json()).message)
    let held = ''
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const events = (held + part.value).split('\\n\\n')
      held = events.pop()
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)
        if (/^event: error$/m.test(event)) answer.textContent += JSON.parse(data[1]).message
        else if (data && !/^event: end$/m.test(event)) {
          const chunk = JSON.parse(data[1])
          answer.textContent += chunk.kind === 'text' ? chunk.text : chunk.sources.map(({ number, title }) => '\\n[' + number + '] ' + title).join('')
        }
      }
    }
  })
</script>`

const headers = { 'content-security-policy': "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'" }
export const page: Face = {
  routes: () => [{ method: 'GET', path: '/', open: true, handle: () => ({ kind: 'text', type: 'text/html; charset=utf-8', text: html, headers }) }],
}
