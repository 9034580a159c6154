-- All or nothing: a statement that fails takes back what the ones before it wrote.
BEGIN;

-- One line for each time this ran to its end.
INSERT INTO migrationAudit (step, affected)
SELECT 'backfill', COUNT(*) FROM purchaseOrderItems WHERE supplier_client_id IS NULL;

UPDATE purchaseOrderItems AS poi
SET supplier_client_id = (
    SELECT sp.client_id
    FROM purchaseOrders AS po
    JOIN supplier_profiles AS sp ON sp.legacy_vendor_id = po.vendorId
    WHERE po.id = poi.purchaseOrderId
)
WHERE poi.supplier_client_id IS NULL;

UPDATE vendorNotes AS vn
SET client_id = (SELECT sp.client_id FROM supplier_profiles AS sp WHERE sp.legacy_vendor_id = vn.vendorId)
WHERE vn.client_id IS NULL;

COMMIT;

SELECT 'purchaseOrderItems', COUNT(supplier_client_id), 'of', COUNT(*), 'have a client' FROM purchaseOrderItems;
SELECT 'vendorNotes', COUNT(client_id), 'of', COUNT(*), 'have a client' FROM vendorNotes;
