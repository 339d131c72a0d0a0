-- Who leads among several processes, and a key by which an order that is given twice is known.

CREATE TABLE leases (
    name       text PRIMARY KEY,
    holder     text NOT NULL DEFAULT '',
    instance   text NOT NULL DEFAULT '',
    epoch      bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    expires_at timestamptz NOT NULL DEFAULT '-infinity',
    taken_at   timestamptz NOT NULL DEFAULT '-infinity',
    listen     text NOT NULL DEFAULT '',
    version    text NOT NULL DEFAULT ''
);

-- It is always there to be locked. Epoch 0: nobody ever led.
INSERT INTO leases (name) VALUES ('leader');

ALTER TABLE runs ADD COLUMN order_key uuid;
CREATE UNIQUE INDEX runs_order_key ON runs (order_key) WHERE order_key IS NOT NULL;
