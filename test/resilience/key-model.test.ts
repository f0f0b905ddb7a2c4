import { after, before, describe, it } from 'node:test';
import { checkKeysAgainstModel } from '../support/model/check-keys.ts';
import { redisPlaces, sqlitePlaces } from '../support/model/key-world.ts';

/** As test/integration/key-model.test.ts, but longer, and with a store that hangs. */
for (const kind of [redisPlaces(['cut', 'no-feed', 'frozen']), sqlitePlaces()]) {
  describe(`whatever happens to keys in ${kind.name}, for long`, { timeout: 120_000 }, () => {
    before(kind.begin);
    after(kind.end);

    it('each is answered as it should be, or the gateway says that it cannot tell', async () => {
      await checkKeysAgainstModel(kind, { runs: 40, maxSteps: 150 });
    });
  });
}
