/** Which language a text in Latin letters is in, told by the small words that no sentence does without, and by its letters. */

/** Those that are told apart; whatever else is written so counts as English. */
export type LatinLanguage = 'en' | 'de' | 'es' | 'fr' | 'it' | 'nl' | 'pt'

const SMALL_WORDS: Readonly<Record<LatinLanguage, string>> = {
  en: 'the a an and or of to in is are was were be been i you he she it we they my your his her our their this that these what where when who why how which can could will would should do does did not no yes have has had for with from at on by about please there here hello hi thanks me him them if but as so any some need want get am come over im las los',
  de: 'der die das den dem des ein eine einen einem einer und oder ist sind war waren sein ich du er sie es wir ihr mein meine meinen dein ihre ihren unser nicht kein keine ja nein haben habe hat hatte für mit von zu zum zur bei auf aus nach über unter wie was wo wann wer warum welche kann können könnte möchte will wird werden bitte danke hallo guten auch noch schon im am an in um dass wenn aber gibt mir mich uns',
  es: 'el la los las un una unos unas y o es son era eran ser estar está están yo tú él ella nosotros ustedes mi mis tu tus su sus nuestro este esta esto ese que qué quién cómo dónde cuándo cuál cuánto por para con sin de del a al en no sí pero si muy más también hay tengo tiene puedo puede quiero quisiera necesito hola gracias favor buenos buenas días me te se lo le',
  fr: "le la les l' un une des du de d' et ou est sont était être je j' tu il elle nous vous ils elles mon ma mes ton ta votre vos notre son sa ses ce cet cette ces c' que qu' qui quoi où quand comment pourquoi quel quelle combien pour avec sans dans sur par chez à au aux en ne n' pas non oui mais si très aussi y ai as a avons avez ont peux puis pouvez voudrais veux bonjour merci s' plaît me m' se",
  it: "il lo la i gli le l' un uno una e o è sono era erano essere io tu lui lei noi voi loro mio mia miei tuo tua suo sua nostro questo questa questi quello che chi cosa come dove quando perché quale quanto per con senza di del della dei delle da dal a al alla in nel nella su sul non no sì ma se molto più anche c' ho hai ha abbiamo posso può vorrei voglio ciao grazie favore buongiorno mi ti si ci",
  nl: 'de het een en of is zijn was waren ik jij je u hij zij ze wij we jullie mijn jouw uw ons onze hun dit dat deze die wat wie waar wanneer waarom hoe welke hoeveel voor met zonder van naar bij op uit in over aan om te niet geen nee ja maar als ook nog al er heb hebt heeft hebben kan kunnen kunt wil zou moet wordt worden alstublieft dank hallo goede mij me',
  pt: 'o a os as um uma uns umas e ou é são era eram ser estar está estão eu você ele ela nós vocês meu minha meus seu sua seus nosso este esta isto esse isso que quem como onde quando qual quanto por para com sem de do da dos das a ao à em no na nos nas não sim mas se muito mais também há tenho tem posso pode quero queria gostaria preciso olá obrigado obrigada favor bom boa dia me te lhe',
}
const LANGUAGES = Object.keys(SMALL_WORDS) as readonly LatinLanguage[]

/** Letters that some of them write and English does not. */
const LETTERS: Readonly<Record<string, readonly LatinLanguage[]>> = {
  ä: ['de'], ö: ['de'], ü: ['de', 'es', 'pt'], ß: ['de'], ñ: ['es'], '¿': ['es'], '¡': ['es'], á: ['es', 'pt'], í: ['es', 'pt'], ó: ['es', 'pt'], ú: ['es', 'pt'], é: ['es', 'fr', 'it', 'pt'],
  ã: ['pt'], õ: ['pt'], ç: ['fr', 'pt'], ê: ['fr', 'pt'], â: ['fr', 'pt'], ô: ['fr', 'pt'], à: ['fr', 'it', 'pt'], è: ['fr', 'it'], ù: ['fr', 'it'], ì: ['it'], ò: ['it'], î: ['fr'], û: ['fr'], ë: ['fr', 'nl'], ï: ['fr', 'nl'], œ: ['fr'],
}

/** A word that one language alone has says all; one that three share says a third of it for each. */
function sharesOf(has: ReadonlyMap<string, readonly LatinLanguage[]>, key: string): readonly (readonly [LatinLanguage, number])[] {
  const languages = has.get(key) ?? []
  return languages.map((language) => [language, 1 / languages.length])
}

const byWord = new Map<string, LatinLanguage[]>()
for (const language of LANGUAGES) for (const word of new Set(SMALL_WORDS[language].split(' '))) byWord.set(word, [...(byWord.get(word) ?? []), language])
const byLetter = new Map(Object.entries(LETTERS))

/** Beyond this nothing changes any more. */
const LETTERS_READ = 2_000
/** Of a word's share; a café does not make a text French. */
const LETTER_WEIGHT = 0.75
/** So much more than English another must have: names and loan words come in English texts too. */
const LEAD = 0.9

export function latinLanguageOf(text: string): LatinLanguage {
  const scores = new Map<LatinLanguage, number>()
  const add = (shares: readonly (readonly [LatinLanguage, number])[], weight: number): void => shares.forEach(([language, share]) => scores.set(language, (scores.get(language) ?? 0) + weight * share))
  const read = text.slice(0, LETTERS_READ).normalize('NFC').toLowerCase()
  for (const [word] of read.replace(/\S*(?:\/\/|@)\S*/g, ' ').replaceAll('’', "'").matchAll(/\p{L}+'(?=\p{L})|\p{L}+/gu)) add(sharesOf(byWord, word), 1)
  for (const letter of new Set(read)) add(sharesOf(byLetter, letter), LETTER_WEIGHT)
  const of = (language: LatinLanguage): number => scores.get(language) ?? 0
  const best = LANGUAGES.reduce((a, b) => (of(b) > of(a) ? b : a))
  return of(best) >= of('en') + LEAD ? best : 'en'
}
