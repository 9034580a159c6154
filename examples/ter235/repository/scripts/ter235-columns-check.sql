-- Fails where a table or column that the migration reads is missing; changes nothing.
SELECT 'suppliers with a client', COUNT(client_id) FROM supplier_profiles WHERE legacy_vendor_id IS NOT NULL;
SELECT 'purchase orders', COUNT(vendorId) FROM purchaseOrders;
SELECT 'vendor notes', COUNT(vendorId) FROM vendorNotes;
