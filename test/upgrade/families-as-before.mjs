import { families } from './families.mjs'

export default families()
