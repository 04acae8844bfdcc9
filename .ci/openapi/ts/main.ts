// Makes one call by a client that is generated from openapi.yaml. See scripts/openapi.
import createClient from 'openapi-fetch';
import type { paths } from './api.ts';

const client = createClient<paths>({
  baseUrl: process.env.PESAN_URL,
  headers: { 'X-Api-Key': process.env.PESAN_KEY },
});
const { data, error } = await client.GET('/api/getChatById', { params: { query: { phone: process.env.PESAN_PHONE! } } });
if (!data) throw new Error(`getChatById fails: ${JSON.stringify(error)}`);
const chat = data.results;
if (chat.id !== `${process.env.PESAN_PHONE}@s.whatsapp.net`) throw new Error(`another chat: ${chat.id}`);
console.log(`  ${chat.id}: ${chat.name}, ${chat.unreadCount} unread`);
