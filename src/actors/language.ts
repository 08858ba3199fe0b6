/** The language of a text, judged by its script alone. */

/** A language by its ISO 639-1 code; `en` stands for Latin script, `und` for a text without letters. */
export type Language = 'en' | 'zh' | 'ja' | 'ko' | 'ru' | 'ar' | 'und'

const SCRIPTS: readonly (readonly [Language, RegExp])[] = [
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
  const counts = new Map(SCRIPTS.map(([language, script]) => [language, (text.match(script) ?? []).length]))
  const of = (language: Language): number => counts.get(language) ?? 0
  // Japanese mixes kana with Han; Chinese never does.
  if (of('ja') > 0 && of('ja') * 4 >= of('zh')) return 'ja'
  const weighed = SCRIPTS.map(([language]) => [language, language === 'zh' || language === 'ko' ? of(language) * LETTERS_PER_WORD : of(language)] as const)
  const [best, count] = weighed.reduce((a, b) => (b[1] > a[1] ? b : a))
  return count === 0 ? 'und' : best
}
