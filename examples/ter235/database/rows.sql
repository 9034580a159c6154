INSERT INTO clients (id, name) VALUES
    (1, 'Blue Finch Farms'), (2, 'Old Mill Growers'), (3, 'Harbour Street Supply'), (4, 'Corner Retail');

-- Vendor 40 never got a profile: what it sold stays without a client.
INSERT INTO supplier_profiles (id, client_id, legacy_vendor_id) VALUES (1, 1, 10), (2, 2, 20), (3, 3, 30), (4, 4, NULL);

INSERT INTO purchaseOrders (id, vendorId, orderedOn) VALUES
    (100, 10, '2026-01-12'), (101, 20, '2026-01-15'), (102, 10, '2026-02-02'), (103, 30, '2026-02-09'), (104, 40, '2026-02-11');

INSERT INTO purchaseOrderItems (id, purchaseOrderId, sku, quantity) VALUES
    (1, 100, 'BF-01', 10), (2, 100, 'BF-02', 4), (3, 101, 'OM-01', 25), (4, 102, 'BF-01', 8),
    (5, 103, 'HS-07', 2), (6, 103, 'HS-08', 1), (7, 104, 'XX-01', 3);

INSERT INTO vendorNotes (id, vendorId, note) VALUES
    (1, 10, 'delivers on Tuesdays'), (2, 20, 'call before noon'), (3, 40, 'closed in winter');
