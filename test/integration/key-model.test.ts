import { after, before, describe, it } from 'node:test';
import { checkKeysAgainstModel } from '../support/model/check-keys.ts';
import { redisPlaces, sqlitePlaces } from '../support/model/key-world.ts';

for (const kind of [redisPlaces(['cut', 'no-feed']), sqlitePlaces()]) {
  describe(`whatever happens to keys in ${kind.name}`, { timeout: 60_000 }, () => {
    before(kind.begin);
    after(kind.end);

    it('each is answered as it should be, or the gateway says that it cannot tell', async () => {
      await checkKeysAgainstModel(kind, { runs: 15, maxSteps: 60 });
    });
  });
}
