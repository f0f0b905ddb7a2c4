import { BlockList, isIP } from 'node:net';
import type { Cidr } from '../keys/scope.ts';

/** One list for each family: in a list of both, Node finds an IPv4 address in ::/0 and other wide IPv6 networks too. */
type Compiled = Readonly<Record<'ipv4' | 'ipv6', BlockList>>;

/** Networks ready to be matched, kept as long as the list they were made of: a record in memory is compiled once. */
const compiled = new WeakMap<readonly Cidr[], Compiled>();

const IPV4_IN_IPV6 = /^::ffff:(?=[0-9]+\.)/i;
const ZONE = /%.*$/;

/** Whether the address of a peer, as its socket gives it, is in one of these networks. */
export function isInside(networks: readonly Cidr[], peer: string): boolean {
  // A socket for both families shows IPv4 peers as ::ffff:192.0.2.1, and link-local ones with the name of the interface.
  const address = peer.replace(IPV4_IN_IPV6, '').replace(ZONE, '');
  const family = familyOf(address);
  if (family === undefined) return false;
  let lists = compiled.get(networks);
  if (lists === undefined) {
    lists = compile(networks);
    compiled.set(networks, lists);
  }
  return lists[family].check(address, family);
}

function compile(networks: readonly Cidr[]): Compiled {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const network of networks) {
    const slash = network.lastIndexOf('/');
    const address = network.slice(0, slash);
    const family = familyOf(address);
    if (family === undefined) throw new TypeError(`${network} is no network, though its type says so`);
    lists[family].addSubnet(address, Number(network.slice(slash + 1)), family);
  }
  return lists;
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  switch (isIP(address)) {
    case 4:
      return 'ipv4';
    case 6:
      return 'ipv6';
    default:
      return undefined;
  }
}
