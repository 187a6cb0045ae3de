// Sends one message with nodemailer; the options come as JSON in the first
// argument, the server's final reply goes to standard output.
'use strict';

const nodemailer = require('nodemailer');

const options = JSON.parse(process.argv[2]);
const transport = nodemailer.createTransport(options.transport);
transport.sendMail(options.message).then(
	(info) => {
		console.log(info.response);
	},
	(error) => {
		console.error(error.response || error.message);
		process.exitCode = 1;
	}
);
