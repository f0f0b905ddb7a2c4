/**
 * What a service token may do through the admin API, role by role. docs/roles.md says the same in words; a test holds the
 * two together.
 */

export const PERMISSIONS = {
  'get-ingestion-api-keys': 'List ingestion API keys. The keys themselves are never shown.',
  'create-ingestion-api-keys': 'Create ingestion API keys.',
  'update-ingestion-api-keys': 'Change, disable and enable ingestion API keys.',
  'rotate-ingestion-api-keys': 'Replace ingestion API keys by new ones with the same settings.',
  'delete-ingestion-api-keys': 'Delete ingestion API keys: whoever sends with one is refused from then on.',
  'reveal-ingestion-api-keys': 'See the text of ingestion API keys again, where a type was declared revealable.',
  'authorize-ingestion-api-keys': 'Ask whether a given key may send, without sending anything.',
  'explain-keys': 'Ask each gateway what it would say to a key that one may list or has, and why.',
  'get-service-tokens': 'List service tokens. The tokens themselves are never shown.',
  'create-service-tokens': 'Create service tokens, with no more permissions than one has oneself.',
  'update-service-tokens':
    'Change, disable and enable service tokens that have no more permissions than one has oneself.',
  'rotate-service-tokens': 'Replace service tokens that have no more permissions than one has oneself.',
  'delete-service-tokens': 'Delete service tokens.',
  'get-service-ids': 'List service ids, and what they own.',
  'create-service-ids': 'Create service ids.',
  'update-service-ids': 'Change, lock and unlock service ids: all keys of a locked one are refused.',
  'delete-service-ids': 'Delete service ids, and with each of them all its keys.',
  'get-users': 'List users, and what they own.',
  'create-users': 'Create users.',
  'update-users': 'Change, lock and unlock users: all keys of a locked one are refused.',
  'delete-users': 'Delete users, and with each of them all their keys.',
  'import-keys': 'Import keys, tokens and owners by their digests; each only with the permission to create it.',
  'export-keys': 'Export all keys, service tokens and owners with their digests, to import them elsewhere.',
  'get-traffic': 'See which requests pass a gateway, and who is refused most.',
  'get-log-level': 'See how much a gateway writes to its log.',
  'update-log-level': 'Change how much a gateway writes to its log, while it runs.',
  'get-audit': 'Read the audit log: who changed which key, token or owner, when, and from where.',
} as const;

export type Permission = keyof typeof PERMISSIONS;

export const permissions = Object.keys(PERMISSIONS) as Permission[];

interface Role {
  readonly about: string;
  readonly permissions: readonly Permission[];
}

/**
 * The stackstate-* names are those of StackState, so that its token scripts work unchanged; there, too, only the admin
 * role manages ingestion keys. A token without any of these permissions may still read /api/server/info.
 */
export const ROLES = {
  admin: { about: 'Everything.', permissions },
  'key-manager': {
    about:
      'Manages ingestion API keys, and neither their owners nor service tokens: for automation that hands out keys.',
    permissions: [
      'get-ingestion-api-keys',
      'create-ingestion-api-keys',
      'update-ingestion-api-keys',
      'rotate-ingestion-api-keys',
      'delete-ingestion-api-keys',
      'authorize-ingestion-api-keys',
      'explain-keys',
      'get-service-ids',
      'get-users',
      'get-traffic',
    ],
  },
  viewer: {
    about: 'Sees which keys, tokens and owners exist, and changes nothing.',
    permissions: [
      'get-ingestion-api-keys',
      'explain-keys',
      'get-service-tokens',
      'get-service-ids',
      'get-users',
      'get-traffic',
      'get-log-level',
    ],
  },
  auditor: { about: 'Reads the audit log, and nothing else.', permissions: ['get-audit'] },
  validator: {
    about: 'Asks whether a key may send, and nothing else: for a collector that checks keys itself.',
    permissions: ['authorize-ingestion-api-keys'],
  },
  'stackstate-admin': { about: 'The same as admin.', permissions },
  'stackstate-power-user': { about: 'Known, but without permissions here, as in StackState.', permissions: [] },
  'stackstate-k8s-troubleshooter': { about: 'Known, but without permissions here, as in StackState.', permissions: [] },
  'stackstate-guest': { about: 'Known, but without permissions here, as in StackState.', permissions: [] },
} as const satisfies Record<string, Role>;

export type RoleName = keyof typeof ROLES;

export const roleNames = Object.keys(ROLES) as RoleName[];

export function isRoleName(text: string): text is RoleName {
  return Object.hasOwn(ROLES, text);
}

/** All that these roles allow together. A role that is not known (any more) allows nothing. */
export function permissionsOf(roles: readonly string[]): ReadonlySet<Permission> {
  return new Set(roles.flatMap((role): readonly Permission[] => (isRoleName(role) ? ROLES[role].permissions : [])));
}

/**
 * What the wanted roles allow and one's own do not. Giving that away would let whoever may create tokens create an
 * administrator.
 */
export function permissionsLacking(own: readonly string[], wanted: readonly string[]): Permission[] {
  const owned = permissionsOf(own);
  return [...permissionsOf(wanted)].filter((permission) => !owned.has(permission));
}

/** What to tell someone who named roles that do not exist; nothing when all of them do. */
export function unknownRolesFault(roles: readonly string[]): string | undefined {
  const unknown = roles.filter((role) => !isRoleName(role));
  if (unknown.length === 0) return undefined;
  return `unknown role ${unknown.map((role) => `"${role}"`).join(', ')}: the roles are ${roleNames.join(', ')}`;
}
