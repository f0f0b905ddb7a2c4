import { BlockList, isIP } from 'node:net';
import type { Cidr } from '../keys/scope.ts';

/** Networks ready to be matched. */
interface Compiled {
  /** One list for each family: in a list of both, Node finds an IPv4 address in ::/0 and other wide IPv6 networks too. */
  readonly lists: Readonly<Record<'ipv4' | 'ipv6', BlockList>>;
  /** Whoever sends will send again: to match an address takes longer than all the rest of a verdict. */
  lastPeer: string | undefined;
  wasInside: boolean;
}

/** Kept as long as the list they were made of: a record in memory is compiled once. */
const compiled = new WeakMap<readonly Cidr[], Compiled>();

const IPV4_IN_IPV6 = /^::ffff:(?=[0-9]+\.)/i;
const ZONE = /%.*$/;

/** Whether the address of a peer, as its socket gives it, is in one of these networks. */
export function isInside(networks: readonly Cidr[], peer: string): boolean {
  let ready = compiled.get(networks);
  if (ready === undefined) {
    ready = { lists: compile(networks), lastPeer: undefined, wasInside: false };
    compiled.set(networks, ready);
  }
  if (ready.lastPeer !== peer) {
    ready.wasInside = isInLists(ready.lists, peer);
    ready.lastPeer = peer;
  }
  return ready.wasInside;
}

function isInLists(lists: Compiled['lists'], peer: string): boolean {
  // A socket for both families shows IPv4 peers as ::ffff:192.0.2.1, and link-local ones with the name of the interface.
  const address = peer.replace(IPV4_IN_IPV6, '').replace(ZONE, '');
  const family = familyOf(address);
  return family !== undefined && lists[family].check(address, family);
}

function compile(networks: readonly Cidr[]): Compiled['lists'] {
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
