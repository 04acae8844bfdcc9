// Prints the events that Pesan sends to it: PORT=9000 SECRET=whsec_… node examples/receiver-node/receiver.mjs
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

const key = Buffer.from(process.env.SECRET.replace(/^whsec_/, ''), 'base64')
const seen = new Set() // a real receiver keeps the ids where they outlast it

function verified(headers, body) {
  const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures = '' } = headers
  if (!id || !(Math.abs(Date.now() / 1000 - at) < 300)) return false
  const want = createHmac('sha256', key).update(`${id}.${at}.`).update(body).digest()
  return signatures.split(' ').some((signature) => {
    const [version, text = ''] = signature.split(',')
    const given = Buffer.from(text, 'base64')
    return version === 'v1' && given.length === want.length && timingSafeEqual(given, want)
  })
}

createServer(async (request, response) => {
  const parts = []
  for await (const part of request) parts.push(part)
  const body = Buffer.concat(parts)
  if (!verified(request.headers, body)) return response.writeHead(401).end('not from Pesan')
  if (!seen.has(request.headers['webhook-id'])) console.log(body.toString())
  seen.add(request.headers['webhook-id'])
  response.end()
}).listen(process.env.PORT, '127.0.0.1')
