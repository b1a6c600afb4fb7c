CREATE TABLE notices (n INTEGER PRIMARY KEY, text TEXT NOT NULL);
INSERT INTO notices (text) VALUES ('Dredging off the south mole until the end of the month: keep to the north.');
