// read-ethers.mjs <rpc-url> <feed-abi.json> <feed> <adapter-abi.json> <adapter> <instrument-id>: what ethers reads.
import { Contract, JsonRpcProvider } from 'ethers'
import { json, print } from './abi.mjs'

const [url, feedFile, feedAddress, adapterFile, adapterAddress, id] = process.argv.slice(2)
const provider = new JsonRpcProvider(url)
const feed = new Contract(feedAddress, json(feedFile).abi, provider)
const adapter = new Contract(adapterAddress, json(adapterFile).abi, provider)

print({
  live: await feed.isLive(),
  latestSequence: await feed.latestSequence(),
  instrument: await feed.instrument(id),
  reading: (await feed.reading(id)).toObject(),
  description: await adapter.description(),
  decimals: Number(await adapter.decimals()),
  round: (await adapter.latestRoundData()).toArray(),
})
provider.destroy()
