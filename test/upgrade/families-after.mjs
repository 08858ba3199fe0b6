import { families } from './families.mjs'

export default families({ question: 'which inn?', rest: 'sleeping', work: 'plane' })
