// compile.mjs <source> <contract>: a contract of test/support, compiled by npm's solc, whose imports are npm packages'.
// Prints its ABI and its code.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { print } from './abi.mjs'

const [source, name] = process.argv.slice(2)
const require = createRequire(import.meta.url)
const input = {
  language: 'Solidity',
  sources: { [source]: { content: readFileSync(source, 'utf8') } },
  settings: { evmVersion: 'cancun', outputSelection: { [source]: { [name]: ['abi', 'evm.bytecode.object'] } } },
}
const find = (path) => ({ contents: readFileSync(require.resolve(path), 'utf8') })
const output = JSON.parse(require('solc').compile(JSON.stringify(input), { import: find }))
const contract = output.contracts?.[source]?.[name]
if (!contract) throw new Error(JSON.stringify(output.errors))
print({ abi: contract.abi, bytecode: contract.evm.bytecode.object })
