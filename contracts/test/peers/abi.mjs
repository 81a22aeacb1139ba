// The report's EIP-712 type as the checked-in ABI tells it: the components of `struct HedgeReport`, wherever a function
// takes one. Nothing here is written down a second time.
import { readFileSync } from 'node:fs'

export const json = (path) => JSON.parse(readFileSync(path, 'utf8'))

export function reportType(abi) {
  for (const entry of abi) {
    for (const input of entry.inputs ?? []) {
      if (input.internalType === 'struct HedgeReport') {
        return input.components.map(({ name, type }) => ({ name, type }))
      }
    }
  }
  throw new Error('no function of this ABI takes a HedgeReport')
}

// Numbers of any size survive as strings, under the names that the ABI has.
export const print = (value) =>
  console.log(JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? item.toString() : item)))
