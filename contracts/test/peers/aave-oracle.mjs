// aave-oracle.mjs <rpc-url> <adapter>: Aave v3's own oracle, address provider and access control, from its published
// artifacts, with the adapter as the source of one asset's price and Aave's PriceOracle as fallback. Sends from the
// node's first account. Prints the oracle's address and what it says.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { ContractFactory, JsonRpcProvider } from 'ethers'
import { print } from './abi.mjs'

const [url, adapter] = process.argv.slice(2)
const asset = '0x000000000000000000000000000000000000A11A'
const stranger = '0x000000000000000000000000000000000000BEEF'
const FALLBACK_PRICE = 7n
const BASE_UNIT = 10n ** 8n // of US dollars, as Aave's markets have it
const NOBODY = '0x0000000000000000000000000000000000000000'

const require = createRequire(import.meta.url)
const provider = new JsonRpcProvider(url)
const owner = await provider.getSigner(0)

async function deploy(path, ...args) {
  const name = path.split('/').at(-1)
  const file = require.resolve(`@aave/core-v3/artifacts/contracts/${path}.sol/${name}.json`)
  const { abi, bytecode } = JSON.parse(readFileSync(file, 'utf8'))
  const contract = await new ContractFactory(abi, bytecode, owner).deploy(...args)
  return contract.waitForDeployment()
}
const send = async (transaction) => (await transaction).wait()
const outcome = async (call) => {
  try {
    return await call()
  } catch (error) {
    return { reverted: error.reason ?? error.data ?? error.code }
  }
}

const addresses = await deploy('protocol/configuration/PoolAddressesProvider', 'market', owner.address)
await send(addresses.setACLAdmin(owner.address))
const access = await deploy('protocol/configuration/ACLManager', await addresses.getAddress())
await send(addresses.setACLManager(await access.getAddress()))
await send(access.addPoolAdmin(owner.address))
const fallback = await deploy('mocks/oracle/PriceOracle')
await send(fallback.setAssetPrice(asset, FALLBACK_PRICE))
const oracle = await deploy(
  'misc/AaveOracle', await addresses.getAddress(), [], [], await fallback.getAddress(), NOBODY, BASE_UNIT,
)

const before = await oracle.getAssetPrice(asset)
const byStranger = oracle.connect(provider).setAssetSources
const refused = await outcome(() => byStranger.staticCall([asset], [adapter], { from: stranger }))
await send(oracle.setAssetSources([asset], [adapter]))
print({
  oracle: await oracle.getAddress(),
  asset,
  before,
  refused,
  source: await oracle.getSourceOfAsset(asset),
  unit: await oracle.BASE_CURRENCY_UNIT(),
  price: await outcome(() => oracle.getAssetPrice(asset)),
  prices: await outcome(async () => [...(await oracle.getAssetsPrices([asset, NOBODY]))]),
})
provider.destroy()
