// Addresses in settings.
import { Resolver } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { ConfigError } from '../../common/config/env.ts';

/**
 * Networks whose mail is taken as it is: our own machines, and relays that have checked it.
 * @param networks addresses, or networks as address/prefix, separated by commas; none: no network
 * @throws ConfigError
 */
export function trustedNetworks(networks: string): (address: string) => boolean {
  const list = new BlockList();
  for (const text of networks.split(',').map((each) => each.trim())) {
    if (text === '' || text === 'none') continue;
    const [address = '', prefix] = text.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    const most = family === 'ipv6' ? 128 : 32;
    const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    if (isIP(address) === 0 || bits < 0 || bits > most || text.split('/').length > 2)
      throw new ConfigError(`CELLPOST_TRUSTED_NETWORKS: ${text} is no network, as in 192.0.2.0/24.`);
    list.addSubnet(address, bits, family);
  }
  return (address) => {
    const bare = address.replace(/^::ffff:/, '');
    return isIP(bare) !== 0 && list.check(bare, isIP(bare) === 6 ? 'ipv6' : 'ipv4');
  };
}

/** @returns addresses of name servers, with ports if need be, as Resolver.setServers takes them @throws ConfigError */
export function dnsServers(servers: string): string[] {
  const list = servers
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
  try {
    new Resolver().setServers(list);
  } catch {
    throw new ConfigError(
      'CELLPOST_DNS_SERVERS: names no name servers, as in 192.0.2.53,[2001:db8::53]:5353.',
    );
  }
  return list;
}
