/** The description of all this, for programs. */
import { JSON_TYPE, jsonReply, type AdminRoute } from '../admin-route.ts';
import { openApi } from '../openapi.ts';

export const openapi: AdminRoute = {
  method: 'GET',
  path: '/api/v1/openapi.json',
  access: 'read',
  summary: 'This description.',
  answer: { contentType: JSON_TYPE },
  handle: async ({ context }) => {
    // Imported when asked for: the registry lists this file too.
    const { adminRoutes } = await import('./registry.ts');
    return jsonReply(openApi(adminRoutes, context.version));
  },
};
