// Works with /mcp and pesan mcp by the inspector's command line, which is a client of the protocol that others have written.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { deepStrictEqual, match, ok, rejects } from 'node:assert'

const { PESAN_URL: url, PESAN_KEY: key, PESAN_PHONE: phone } = process.env
const program = process.argv[2]

async function inspect(...args) {
  const { stdout } = await promisify(execFile)('node_modules/.bin/mcp-inspector', ['--cli', ...args], { env: { ...process.env, PESAN_API_KEY: key }, timeout: 120_000 })
  return JSON.parse(stdout)
}

const http = [`${url}/mcp`, '--transport', 'http', '--header', `Authorization: Bearer ${key}`]
const stdio = [program, 'mcp', '-e', `PESAN_URL=${url}`, '-e', `PESAN_API_KEY=${key}`]
const call = (way, tool, ...args) => inspect(...way, '--method', 'tools/call', '--tool-name', tool, ...args.flatMap(arg => ['--tool-arg', arg]))

const { tools } = await inspect(...http, '--method', 'tools/list')
deepStrictEqual(await inspect(...stdio, '--method', 'tools/list').then(r => r.tools), tools)
ok(tools.length >= 13 && tools.every(t => t.outputSchema && t.annotations?.destructiveHint !== undefined), 'each tool is described')

for (const [way, mute] of [[http, true], [stdio, false]]) {
  const done = await call(way, mute ? 'mute_chat' : 'unmute_chat', `chat=${phone}@s.whatsapp.net`)
  deepStrictEqual(done.structuredContent, { chat: `${phone}@s.whatsapp.net`, status: 'done' })
  const { structuredContent } = await call(way, 'list_chats', `muted=${mute}`, 'limit=100')
  ok(structuredContent.chats.some(c => c.chat === done.structuredContent.chat), 'the chat shows the change')
}
const asked = await call(http, 'clear_chat', `chat=${phone}@s.whatsapp.net`)
ok(asked.structuredContent.confirmationToken && asked.structuredContent.willGo.messages > 0, 'nothing goes before a person was asked')
const failed = await call(http, 'mute_chat', 'chat=nobody').catch(e => JSON.parse(e.stdout))
ok(failed.isError)
match(failed.content[0].text, /list_chats/)
await rejects(inspect(`${url}/mcp`, '--transport', 'http', '--method', 'tools/list'))
