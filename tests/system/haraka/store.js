// Writes each message into a maildir, once for each recipient.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

exports.register = function () {
	this.directory = this.config.get('store');
	this.register_hook('queue', 'store');
};

exports.store = function (next, connection) {
	const transaction = connection.transaction;
	transaction.message_stream.get_data((data) => {
		transaction.rcpt_to.forEach((to, n) => {
			const name = `${transaction.uuid}.${n}`;
			const head = `Return-Path: ${transaction.mail_from.format()}\r\nDelivered-To: ${to.address()}\r\n`;
			fs.writeFileSync(path.join(this.directory, 'tmp', name), Buffer.concat([Buffer.from(head), data]));
			fs.renameSync(path.join(this.directory, 'tmp', name), path.join(this.directory, 'new', name));
		});
		next(OK);
	});
};
