-- SQLite and MariaDB take the foreign key with the column. MySQL ignores it there and needs an
-- ALTER TABLE … ADD FOREIGN KEY … of its own.
ALTER TABLE purchaseOrderItems ADD COLUMN supplier_client_id INTEGER NULL REFERENCES clients (id);
CREATE INDEX idx_po_items_supplier_client_id ON purchaseOrderItems (supplier_client_id);
ALTER TABLE vendorNotes ADD COLUMN client_id INTEGER NULL REFERENCES clients (id);
CREATE INDEX idx_vendor_notes_client_id ON vendorNotes (client_id);

INSERT INTO migrationAudit (step, affected) VALUES ('columns', 2);
