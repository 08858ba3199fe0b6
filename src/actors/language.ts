/** The language of a text, judged by its script, and in Latin script by its small words. */
import { latinLanguageOf, type LatinLanguage } from './latin-languages.js'

/** What a script says of the language; `en` stands for Latin script, `und` for a text without letters. */
type Script = 'en' | 'zh' | 'ja' | 'ko' | 'ru' | 'ar' | 'und'
/** A language by its ISO 639-1 code. */
export type Language = Script | LatinLanguage

const SCRIPTS: readonly (readonly [Script, RegExp])[] = [
  ['zh', /\p{Script=Han}/gu],
  ['ja', /[\p{Script=Hiragana}\p{Script=Katakana}]/gu],
  ['ko', /\p{Script=Hangul}/gu],
  ['ru', /\p{Script=Cyrillic}/gu],
  ['ar', /\p{Script=Arabic}/gu],
  ['en', /\p{Script=Latin}/gu],
]
/** A Han character says as much as a short Latin word. */
const LETTERS_PER_WORD = 4

export function languageOf(text: string): Language {
  const script = scriptOf(text)
  return script === 'en' ? latinLanguageOf(text) : script
}

function scriptOf(text: string): Script {
  const counts = new Map(SCRIPTS.map(([language, script]) => [language, (text.match(script) ?? []).length]))
  const of = (language: Script): number => counts.get(language) ?? 0
  // Japanese mixes kana with Han; Chinese never does.
  if (of('ja') > 0 && of('ja') * 4 >= of('zh')) return 'ja'
  const weighed = SCRIPTS.map(([language]) => [language, language === 'zh' || language === 'ko' ? of(language) * LETTERS_PER_WORD : of(language)] as const)
  const [best, count] = weighed.reduce((a, b) => (b[1] > a[1] ? b : a))
  return count === 0 ? 'und' : best
}
