/** Words with their part of speech. The door to wink-nlp (English) and jieba (Chinese), loaded on first use. */
import { TroupeError } from '../../runtime/index.js'
import type { Language } from '../language.js'
import { tokensOf, type Token } from '../words.js'

export interface TaggedToken extends Token {
  /** A Universal Dependencies tag. */
  readonly partOfSpeech?: string
}
type Tagger = (text: string) => readonly (readonly [word: string, tag: string])[]

const PACKAGES = { en: 'wink-nlp wink-eng-lite-web-model', zh: '@node-rs/jieba' } as const
const loading = new Map<keyof typeof PACKAGES, Promise<Tagger>>()

/** Jieba's tags by their first letters, in Universal Dependencies' terms. */
const JIEBA: readonly (readonly [RegExp, string])[] = [
  [/^n[rstz]/, 'PROPN'],
  [/^[nstfqlij]/, 'NOUN'],
  [/^v/, 'VERB'],
  [/^[abz]/, 'ADJ'],
  [/^d/, 'ADV'],
  [/^r/, 'PRON'],
  [/^m/, 'NUM'],
  [/^p/, 'ADP'],
  [/^c/, 'CCONJ'],
  [/^[uyhk]/, 'PART'],
  [/^(?:e|o)$/, 'INTJ'],

]

export async function withPartOfSpeech(text: string, language: Language): Promise<TaggedToken[]> {
  if (language !== 'en' && language !== 'zh') return tokensOf(text)
  const tagger = await load(language)
  const tokens: TaggedToken[] = []
  let from = 0
  for (const [word, partOfSpeech] of tagger(text)) {
    const start = text.indexOf(word, from)
    if (start < 0 || word.trim() === '') continue
    from = start + word.length
    tokens.push({ text: word, start, end: from, partOfSpeech })
  }
  return tokens
}

function load(language: keyof typeof PACKAGES): Promise<Tagger> {
  const known = loading.get(language)
  if (known !== undefined) return known
  const loaded = (language === 'en' ? english() : chinese()).catch((cause: unknown) => {
    loading.delete(language)
    throw new TroupeError('MissingDependency', `parts of speech need ${PACKAGES[language].replace(' ', ' and ')}, which are not installed`, `npm install ${PACKAGES[language]}`, { dependency: PACKAGES[language] }, cause)
  })
  loading.set(language, loaded)
  return loaded
}

async function english(): Promise<Tagger> {
  const [{ default: wink }, { default: model }] = await Promise.all([import('wink-nlp'), import('wink-eng-lite-web-model')])
  const nlp = wink(model, ['sbd', 'pos'])
  return (text) => {
    const tokens = nlp.readDoc(text).tokens()
    // oxlint-disable-next-line typescript/unbound-method -- wink's own way of naming what to give out; it has no `this`
    const tags = tokens.out(nlp.its.pos)
    return tokens.out().map((word, at) => [word, String(tags[at])])
  }
}

async function chinese(): Promise<Tagger> {
  const [{ Jieba }, { dict }] = await Promise.all([import('@node-rs/jieba'), import('@node-rs/jieba/dict.js')])
  const jieba = Jieba.withDict(dict)
  return (text) => jieba.tag(text).map(({ word, tag }) => [word, /^[\p{P}\p{S}]+$/u.test(word) ? 'PUNCT' : /^\d+$/.test(word) ? 'NUM' : (JIEBA.find(([letters]) => letters.test(tag))?.[1] ?? 'X')])
}
