-- The production schema of that night, as far as TER-235 touches it. `purchaseOrderItems` has no `deletedAt`: the
-- migration that adds soft deletes had not been run in production yet.
CREATE TABLE clients (
    id INTEGER NOT NULL PRIMARY KEY,
    name VARCHAR(120) NOT NULL
);

CREATE TABLE supplier_profiles (
    id INTEGER NOT NULL PRIMARY KEY,
    client_id INTEGER NOT NULL,
    legacy_vendor_id INTEGER NULL UNIQUE,
    FOREIGN KEY (client_id) REFERENCES clients (id)
);

CREATE TABLE purchaseOrders (
    id INTEGER NOT NULL PRIMARY KEY,
    vendorId INTEGER NOT NULL,
    orderedOn DATE NOT NULL
);

CREATE TABLE purchaseOrderItems (
    id INTEGER NOT NULL PRIMARY KEY,
    purchaseOrderId INTEGER NOT NULL,
    sku VARCHAR(40) NOT NULL,
    quantity INTEGER NOT NULL,
    FOREIGN KEY (purchaseOrderId) REFERENCES purchaseOrders (id)
);

CREATE TABLE vendorNotes (
    id INTEGER NOT NULL PRIMARY KEY,
    vendorId INTEGER NOT NULL,
    note VARCHAR(250) NOT NULL
);

-- Each migration step writes a line here when it has run to its end.
CREATE TABLE migrationAudit (
    step VARCHAR(40) NOT NULL,
    affected INTEGER NOT NULL
);
