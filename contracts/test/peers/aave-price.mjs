// aave-price.mjs <rpc-url> <oracle> <asset>: what Aave's oracle says now, or the reason for which it does not.
import { Contract, JsonRpcProvider } from 'ethers'
import { print } from './abi.mjs'

const [url, oracle, asset] = process.argv.slice(2)
const provider = new JsonRpcProvider(url)
const contract = new Contract(oracle, ['function getAssetPrice(address) view returns (uint256)'], provider)
try {
  print({ price: await contract.getAssetPrice(asset) })
} catch (error) {
  if (error.code !== 'CALL_EXCEPTION') throw error
  print({ reverted: error.reason })
}
provider.destroy()
