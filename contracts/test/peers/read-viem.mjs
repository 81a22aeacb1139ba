// read-viem.mjs <rpc-url> <feed-abi.json> <feed> <adapter-abi.json> <adapter> <instrument-id>: what viem reads.
import { createPublicClient, http } from 'viem'
import { json, print } from './abi.mjs'

const [url, feedFile, feed, adapterFile, adapter, id] = process.argv.slice(2)
const client = createPublicClient({ transport: http(url) })
const ask = (address, file, functionName, args = []) =>
  client.readContract({ address, abi: json(file).abi, functionName, args })

print({
  live: await ask(feed, feedFile, 'isLive'),
  latestSequence: await ask(feed, feedFile, 'latestSequence'),
  instrument: await ask(feed, feedFile, 'instrument', [BigInt(id)]),
  reading: await ask(feed, feedFile, 'reading', [BigInt(id)]),
  description: await ask(adapter, adapterFile, 'description'),
  decimals: await ask(adapter, adapterFile, 'decimals'),
  round: await ask(adapter, adapterFile, 'latestRoundData'),
})
