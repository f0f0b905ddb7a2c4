import { describeUnreadBodies } from '../support/bounded-memory.ts';

describeUnreadBodies({ clients: 200 });
